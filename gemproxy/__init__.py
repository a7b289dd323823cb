"""A drop-in base URL for the Gemini SDKs whose streams do not break."""

__version__ = "0.1.0"
