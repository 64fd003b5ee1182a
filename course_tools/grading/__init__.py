"""Grading a class: nbgrader's gradebook outside, students' code in a sandbox, and checks that judge from outside it."""
