"""Two records that are one: a person says so, and one stands for both from then on."""
