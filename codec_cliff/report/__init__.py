"""Tables, figures and the page: what the statistics say, laid out beside the paper's figures; no arithmetic here."""
