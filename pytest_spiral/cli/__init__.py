"""The command line `spiral`: one file per command; `main` alone prints and exits."""
