-- The methods of all services of a generation of scripts, in the order in which these were loaded;
-- for who describes them. Those that are served beside services are not among them.
return {}
