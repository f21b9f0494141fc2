module github.com/example/webservice

go 1.21
