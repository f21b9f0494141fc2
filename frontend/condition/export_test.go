package condition

// MaxWork and Growing are what tests hold evaluations against.
const (
	MaxWork = maxWork
	Growing = growing
	Shallow = shallow
)

// Work evaluates an expression and returns how much work that was.
func (c *Condition) Work(lookup func(name string) any) (int, error) {
	m := &meter{}
	_, err := c.metered(lookup, m)
	return m.work, err
}
