package main

import "github.com/tutti-go/tutti/event"

// What the services say to each other. In life each service has a package for its
// contracts, which the others import; here they are in one file.

// about is the application that a message belongs to, and the key of all messages.
type about struct {
	Application string `json:"application"`
}

func (a about) Key() string { return a.Application }

type (
	checkCredit struct {
		about
		Applicant string `json:"applicant"`
	}
	creditGood struct {
		about
		Score int64 `json:"score"`
	}
	creditPoor struct {
		about
		Score int64 `json:"score"`
	}

	checkFraud struct {
		about
		Applicant string `json:"applicant"`
	}
	fraudUnlikely  struct{ about }
	fraudSuspected struct {
		about
		Why string `json:"why"`
	}

	decisionNeeded struct{ about }
	loanApproved   struct {
		about
		Amount int64  `json:"amount"`
		By     string `json:"by"`
	}
	loanDeclined struct {
		about
		Why string `json:"why"`
	}
)

func (checkCredit) Contract() event.Contract    { return asks("credit", "check") }
func (creditGood) Contract() event.Contract     { return says("credit", "good") }
func (creditPoor) Contract() event.Contract     { return says("credit", "poor") }
func (checkFraud) Contract() event.Contract     { return asks("fraud", "check") }
func (fraudUnlikely) Contract() event.Contract  { return says("fraud", "unlikely") }
func (fraudSuspected) Contract() event.Contract { return says("fraud", "suspected") }
func (decisionNeeded) Contract() event.Contract { return says("application", "decision-needed") }
func (loanApproved) Contract() event.Contract   { return says("application", "approved") }
func (loanDeclined) Contract() event.Contract   { return says("application", "declined") }

// says is the contract of an event: it travels in the topic of what it is about.
func says(what, happened string) event.Contract {
	return event.Contract{Type: "loan." + what + "." + happened, Version: 1, Topic: event.Topic{Name: "loan." + what}}
}

// asks is the contract of a command: its topic is that of the one service that obeys.
func asks(what, todo string) event.Contract {
	return event.Contract{Type: "loan." + what + "." + todo, Version: 1, Topic: event.Topic{Name: "loan." + what + ".command"}, Kind: event.KindCommand}
}
