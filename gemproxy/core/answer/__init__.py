"""The content of frames, and how a frame is rewritten."""
