"""What a lesson shows: figures, their marks, and what moves them."""
