module greet

go 1.25
