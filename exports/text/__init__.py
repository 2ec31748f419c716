"""What is told in words: summary, briefing, messages, and the lines that every output shares."""
