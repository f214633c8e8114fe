"""Tables that leave the house: de-identified, checked by a second pass that knows nothing of the first, or as BIDS."""
