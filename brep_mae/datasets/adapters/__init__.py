"""One file for each kind of data set: where its files lie and what their labels are."""
