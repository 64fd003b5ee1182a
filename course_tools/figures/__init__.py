"""The drawings of the lessons, each made from the data that it shows; a lesson shows them with `course_lib.plots.show`.

Every function returns a figure in the course's look. They draw, and compute nothing that a lesson teaches. One module
a subject: `nets`, `runs`.
"""
