"""Reading a population: pieces of files, whose each line is, partitions that fit into memory."""
