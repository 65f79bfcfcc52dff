-- Up to which position everything has been committed or rolled back: what a later statement does not see there, will never be there.
-- params: none
-- returns: floor
-- index: horizon has one row
select floor from :schema.horizon
