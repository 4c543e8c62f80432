"""Data sets that come from an object store, and shards that go to one."""
