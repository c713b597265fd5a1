"""What can be seen and changed within the network: parts, feature maps, interventions."""
