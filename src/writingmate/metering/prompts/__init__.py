"""What a prompt can cost: its text in any tokenizer, its pictures, files and sound by vendors' rules."""
