"""Links: what a node does over a wire or a radio (docs/link.md)."""
