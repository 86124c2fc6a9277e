"""Many resources at once: files and folders, a server's bulk export, and writing all of it out."""
