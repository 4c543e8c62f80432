"""Records, uids and labels of any number, each made when it is asked for."""
