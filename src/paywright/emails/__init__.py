"""E-mails: which event becomes which letter, to whom, how it looks, and how it leaves."""
