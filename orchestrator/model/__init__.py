"""The nouns of the cluster: values without behaviour of their own, made of the standard library only."""
