"""What runs in the browser: the rating screen and two small components, plain JavaScript and CSS in modules."""
