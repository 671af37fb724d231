"""Quantization: what each precision does, and the engines that do it."""
