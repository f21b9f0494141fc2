module integratnio/go-rest-api

go 1.21
