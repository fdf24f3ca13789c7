"""One driver per real client: the same few verbs, each done by that client's own means."""
