module monorepo

go 1.25
