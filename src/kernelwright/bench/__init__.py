"""`kernelwright bench`: what is asked, the work for a task, and how it is shown."""
