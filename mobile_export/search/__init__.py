"""The search that precision = "auto" asks for: the smallest file that holds all limits of an artifact.

find         the whole of it
strategy     which files to try, by what the ones before have measured
rounds       running it, within a budget
evaluate     a round of files, side by side
bench        one file, in a worker
journal      what an interrupted search has measured
trail        all that was tried
wording      what people read of it
"""
