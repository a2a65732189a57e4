LARGE = "esm2_t6_2M_demo"
def write_page(*a): pass
