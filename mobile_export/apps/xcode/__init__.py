"""What Xcode projects and Swift packages need to have their models.

A script does the work of a build, without Python (`script`). What is written around it is thin: a build phase with its
lists of files for a project (`build_phase`), a plugin for a package (`plugin`).
"""
