"""The exporters that come with Grevy, each found by the name of its entry point."""
