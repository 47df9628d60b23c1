"""The product that is made highly available: its REST service and its database."""
