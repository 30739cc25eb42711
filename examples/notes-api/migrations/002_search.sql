create index notes_by_title on notes (lower(title));
