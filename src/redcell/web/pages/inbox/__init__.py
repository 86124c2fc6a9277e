"""Team messages: who waits for whom, the thread of one person, what was answered."""
