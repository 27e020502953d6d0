"""Who rides where and when."""
