"""What travels: sealed bundles and the link-sized fragments of them. Pure: no I/O, no clock.

    pack -> seal -> split   on the way out    content, seal, split
    join -> open -> unpack  on the way in     join, seal, content

Every function here that is fed bytes of others raises `bundler.errors.BundleError` and nothing
else, and takes memory only within a `bundler.limits.Limits`. docs/format.md, sections 4 to 7.
"""
