"""``pannier demo``: two nodes and a stick in a scratch folder, with the real commands, narrated."""
