module matrix

go 1.25
