"""The smallest pictures that are recognised by their bytes."""

PNG = b"\x89PNG\r\n\x1a\n" + b"0123456789"
JPEG = b"\xff\xd8\xff\xe0" + b"0123456789"
WEBP = b"RIFF\x1a\x00\x00\x00WEBPVP8 "
GIF = b"GIF89a" + b"0123456789"
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>"
