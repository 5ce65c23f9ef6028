"""Figures side by side: what pannier costs, and what the same costs with a bare tool."""
