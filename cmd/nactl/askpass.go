package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/virt/ssh"
)

func askPassFlag() cli.Flag {
	return &cli.BoolFlag{Name: "ask-pass", Aliases: []string{"k"}, Usage: "ask for the SSH password of nodes and guests"}
}

// askPass asks for the password that --ask-pass is about: once, before anything is
// opened. It is in memory alone, and masked wherever something is shown.
func (s *setup) askPass() error {
	if !s.c.Bool("ask-pass") || s.conns.password != "" {
		return nil
	}
	ask := s.app.asker()
	if ask == nil {
		return exitError{engine.ExitOptions, errors.New("--ask-pass asks for the SSH password, and nobody can type here: use a key or the agent")}
	}
	password, err := ask(s.ctx, "SSH password:", true)
	if err != nil {
		return unanswered(err)
	}
	if password == "" {
		return exitError{engine.ExitOptions, errors.New("--ask-pass: no password was typed")}
	}
	s.conns.password = password
	if err := s.mask().Add(password); err != nil {
		fmt.Fprintf(s.app.stderr, "nactl: warning: the SSH password: %v\n", err)
	}
	return nil
}

// unanswered gives the end of a command whose question was not answered.
func unanswered(err error) error {
	switch {
	case errors.Is(err, engine.ErrInterrupted):
		return exitError{engine.ExitInterrupted, nil}
	case errors.Is(err, engine.ErrTerminated):
		return exitError{engine.ExitTerminated, nil}
	case errors.Is(err, errNoAnswer):
		return exitError{engine.ExitOptions, err}
	default:
		return err
	}
}

// withPassword gives a login the password that was asked for.
func (c *connections) withPassword(cfg *ssh.Config) {
	if c.password != "" {
		cfg.Password = ssh.FixedPassword(c.password)
	}
}
