"""The pages a buyer sees: the purchase page, the customer page, and the letters that `dev` keeps."""
