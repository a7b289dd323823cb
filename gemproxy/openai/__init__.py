"""The dialect of OpenAI's clients, sans-IO: requests into Gemini's, frames into chunks."""
