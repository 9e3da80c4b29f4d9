package saga

func (e *Engine) administer() {}
