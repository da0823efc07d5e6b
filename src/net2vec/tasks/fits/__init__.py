"""How a concept's vector is learned: a fit each."""
