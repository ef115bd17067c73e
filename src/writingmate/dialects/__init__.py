"""Wire formats for text generation, and the codecs between them. Nothing here does I/O."""
