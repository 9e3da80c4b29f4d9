package main

// product is on sale in the demonstration.
type product struct {
	sku   string
	name  string
	price int64 // pence
}

// scarce is the product that the demonstration soon runs out of.
const scarce = "DEMO-40"

var demoProducts = []product{
	{"DEMO-01", "Blue Enamel Teapot", 2450},
	{"DEMO-02", "Set of Four Breakfast Mugs", 1895},
	{"DEMO-03", "Oak Bread Board", 1600},
	{"DEMO-04", "Linen Tea Towel, Stripes", 750},
	{"DEMO-05", "Beeswax Candle, Tall", 495},
	{"DEMO-06", "Stoneware Butter Dish", 1450},
	{"DEMO-07", "Wooden Honey Dipper", 325},
	{"DEMO-08", "Copper Measuring Spoons", 1275},
	{"DEMO-09", "Glass Storage Jar, 1 Litre", 895},
	{"DEMO-10", "Brass Hand Bell", 1150},
	{"DEMO-11", "Wool Blanket, Heather", 5400},
	{"DEMO-12", "Feather Duster, Ostrich", 1395},
	{"DEMO-13", "Cast-Iron Doorstop, Hare", 2295},
	{"DEMO-14", "Wicker Picnic Basket", 4850},
	{"DEMO-15", "Garden Twine in a Tin", 640},
	{"DEMO-16", "Bird Feeder, Copper Roof", 2150},
	{"DEMO-17", "Terracotta Pots, Set of Three", 1495},
	{"DEMO-18", "Seed Tin, Wild Flowers", 875},
	{"DEMO-19", "Watering Can, Moss Green", 1990},
	{"DEMO-20", "Pocket Barometer", 6500},
	{"DEMO-21", "Travel Chess Set", 2995},
	{"DEMO-22", "Wooden Spinning Top", 425},
	{"DEMO-23", "Kite, Red and White", 1650},
	{"DEMO-24", "Paper Lanterns, Pack of Ten", 695},
	{"DEMO-25", "Box of Fountain Pen Ink", 1120},
	{"DEMO-26", "Cloth-Bound Notebook", 995},
	{"DEMO-27", "Letter Opener, Horn Handle", 1480},
	{"DEMO-28", "Wax Seal Kit", 1690},
	{"DEMO-29", "Map of the Night Sky", 1250},
	{"DEMO-30", "Brass Reading Lamp", 7900},
	{"DEMO-31", "Rose and Mint Soap", 545},
	{"DEMO-32", "Bath Brush, Beech", 890},
	{"DEMO-33", "Lavender Bag, Hand-Sewn", 395},
	{"DEMO-34", "Shortbread in a Tin", 780},
	{"DEMO-35", "Seville Marmalade", 420},
	{"DEMO-36", "Loose Tea, Breakfast Blend", 650},
	{"DEMO-37", "Felt Slippers, Grey", 2890},
	{"DEMO-38", "Umbrella, Bamboo Handle", 3450},
	{"DEMO-39", "Cuckoo Clock, Hand-Carved", 18900},
	{scarce, "Unicorn Lamp, Last of Its Kind", 9900},
}

// demoPlaces are where the demonstration's customers live.
var demoPlaces = []struct{ city, country string }{
	{"Bath", "United Kingdom"}, {"Whitby", "United Kingdom"}, {"Galway", "Ireland"}, {"Ghent", "Belgium"},
	{"Lyon", "France"}, {"Porto", "Portugal"}, {"Uppsala", "Sweden"}, {"Freiburg", "Germany"},
}

var demoNames = []string{
	"Ada Winter", "Bram Visser", "Clara Moss", "Dai Pritchard", "Elin Berg", "Femi Okoye", "Grace Hollow", "Hugo Lefort",
	"Ines Duarte", "Jonas Kern", "Kitty Fairweather", "Leo Brandt",
}
