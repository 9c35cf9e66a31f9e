"""The report of a finished run: facts are gathered once (report.json), the page is made of them (report.html)."""
