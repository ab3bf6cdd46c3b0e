"""The shared kernels: Unicode, words, lines, hashes and charsets, over Arrow buffers."""
